import pytest

from opstrail.deployments_text import print_deployments
from tests.opstrail.printed import printed, squeezed
from tests.opstrail.samples import LONG, MARKUP, deployment


def test_a_deployment_is_a_row_and_what_the_columns_leave_out() -> None:
    assert printed(print_deployments, [deployment()]) == (
        "deployed (UTC)    env         workspace  block  version      took  by\n"
        "2026-03-19 14:08  production  acme-prod  nginx  0.3.1    2:12 min  gitlab-runner\n"
        "                  deploy, run 7b0f6a52-3c1e-4f0a-9c55-1f2f0c7f9d10, commit\n"
        "                  5e1b90c, from gitlab-runner-42\n"
    )


def test_what_is_not_known_is_left_out() -> None:
    item = deployment(environment=None, block_version=None, hostname=None, commit=None)

    text = printed(print_deployments, [item])

    assert "none" in text
    assert "commit" not in text
    assert "from" not in text


def test_no_deployments_are_said_to_be_none() -> None:
    assert printed(print_deployments, []) == "no deployments\n"


@pytest.mark.parametrize("text", [MARKUP, LONG])
def test_what_people_name_things_is_shown_as_it_is_and_fits(text: str) -> None:
    item = deployment(block=text, block_version=text, actor=text, hostname=text, environment=text)

    assert squeezed(text) in squeezed(printed(print_deployments, [item]))
