from tests.contracts.month.company import Company
def test_start(company: Company) -> None:
    assert len(company.auditor.timeline()) == len(company.answers.entries)
