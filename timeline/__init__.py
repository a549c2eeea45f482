"""Everything ClickHouse: tables and migrations, the writer, each SELECT, page cursors."""
