"""What a role brings with it."""

from control.roles import IMPLIED_ROLES, Role, effective_roles, known_roles


def test_an_admin_may_submit_read_and_analyse_too() -> None:
    assert effective_roles({Role.ADMIN}) == {Role.ADMIN, Role.SUBMIT, Role.READ, Role.ANALYST}


def test_an_analyst_may_read_but_not_submit() -> None:
    assert effective_roles({Role.ANALYST}) == {Role.ANALYST, Role.READ}


def test_an_operator_reads_nothing_unless_also_a_reader() -> None:
    assert effective_roles({Role.OPERATOR}) == {Role.OPERATOR}
    assert effective_roles({Role.OPERATOR, Role.READ}) == {Role.OPERATOR, Role.READ}


def test_no_role_makes_somebody_an_operator_or_an_admin() -> None:
    for role in Role:
        assert effective_roles({role}) & {Role.OPERATOR, Role.ADMIN} <= {role}


def test_the_table_holds_what_is_implied_at_second_hand() -> None:
    for role in Role:
        once = effective_roles({role})
        assert effective_roles(once) == once
    assert set(IMPLIED_ROLES) == set(Role)


def test_a_role_from_a_newer_version_grants_nothing() -> None:
    assert known_roles(["submit", "emperor"]) == {Role.SUBMIT}
