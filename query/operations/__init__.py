"""What each address of the read API takes and answers, for the API's document."""
