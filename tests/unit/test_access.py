"""Who may see which projects: decided in `collector.access` and nowhere else."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser

from collector import access
from collector.auth import ApiKeyAuth
from collector.models import Membership, Project, User, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def other_workspace() -> Workspace:
    return Workspace.objects.create(name="Other workspace")


@pytest.fixture
def others_project(other_workspace: Workspace) -> Project:
    return Project.objects.create(workspace=other_workspace, name="others")


def key_of(workspace: Workspace) -> ApiKeyAuth:
    return ApiKeyAuth(uuid4(), workspace.id, frozenset({"read"}))


def test_a_key_sees_the_projects_of_its_workspace_only(
    project: Project, others_project: Project
) -> None:
    assert access.project_ids_for_key(key_of(project.workspace)) == (project.id,)


def test_asking_for_a_strangers_project_by_id_gives_a_key_nothing(
    project: Project, others_project: Project
) -> None:
    wanted = [others_project.id, uuid4()]
    assert access.project_ids_for_key(key_of(project.workspace), wanted) == ()


def test_a_user_sees_the_projects_of_every_workspace_that_he_is_in(
    user: User, project: Project, others_project: Project
) -> None:
    Membership.objects.create(user=user, workspace=others_project.workspace)
    assert set(access.project_ids_for_user(user)) == {project.id, others_project.id}


def test_a_user_sees_no_project_of_a_workspace_that_he_is_not_in(
    user: User, project: Project, others_project: Project
) -> None:
    assert access.project_ids_for_user(user) == (project.id,)


@pytest.mark.parametrize("stranger", ["anonymous", "no member", "inactive"])
def test_who_is_no_member_sees_nothing(user: User, project: Project, stranger: str) -> None:
    if stranger == "anonymous":
        person: User | AnonymousUser = AnonymousUser()
    elif stranger == "no member":
        person = User.objects.create_user("mallory", is_superuser=True)
    else:
        user.is_active = False
        person = user
    assert access.project_ids_for_user(person) == ()
    assert access.find_project(person, project.name) is None
    assert access.find_role(person, project.workspace) is None


def test_a_project_is_found_by_name_and_by_id(user: User, project: Project) -> None:
    assert access.find_project(user, project.name) == project
    assert access.find_project(user, str(project.id)) == project


def test_a_strangers_project_is_not_found(user: User, others_project: Project) -> None:
    assert access.find_project(user, "others") is None
    assert access.find_project(user, str(others_project.id)) is None


def test_a_name_that_looks_like_another_projects_id_finds_the_name(
    user: User, project: Project
) -> None:
    namesake = Project.objects.create(workspace=project.workspace, name=str(project.id))
    assert access.find_project(user, str(project.id)) == namesake


def test_of_two_workspaces_with_one_name_the_older_has_it(
    user: User, project: Project, other_workspace: Workspace
) -> None:
    Membership.objects.create(user=user, workspace=other_workspace)
    Project.objects.create(workspace=other_workspace, name=project.name)
    assert access.find_project(user, project.name) == project


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 100_000, "../etc", "😀"])
def test_an_odd_name_is_not_found_and_is_no_error(user: User, project: Project, name: str) -> None:
    assert access.find_project(user, name) is None


@pytest.mark.parametrize(
    ("own", "needed", "allowed"),
    [
        ("viewer", "viewer", True),
        ("viewer", "editor", False),
        ("editor", "admin", False),
        ("editor", "viewer", True),
        ("admin", "admin", True),
        ("owner", "viewer", False),
    ],
)
def test_a_role_may_do_what_the_roles_below_it_may(
    workspace: Workspace, own: str, needed: str, allowed: bool
) -> None:
    person = User.objects.create_user("bob")
    Membership.objects.create(user=person, workspace=workspace, role=own)
    assert access.may(person, needed, workspace) is allowed
