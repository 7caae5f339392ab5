"""The price table: list, add, change, retire. A change retires the row and adds another."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from collector.access import find_role, may, workspaces_for_user
from collector.models import ModelPrice, Workspace
from collector.prices.price import InvalidPrice
from collector.prices.table import add_price, list_prices, replace_price, retire_price
from viewer.forms import PriceForm
from viewer.rendering import HtmxRequest

KEEPER_ROLE = "editor"  # the least role that may change prices


@require_http_methods(["GET", "HEAD", "POST"])
def price_list(request: HtmxRequest) -> HttpResponse:
    """Show the tables of the reader's workspaces; `?change=` fills the form with a row, a POST stores it."""
    workspaces = list(workspaces_for_user(request.user))
    form, status = None, 200
    asked = request.POST.get("workspace", "")
    if request.method == "POST":
        form = PriceForm(request.POST)
        if _store(request, workspaces, form):
            return HttpResponseRedirect(reverse("prices"))
        status = 422
    groups = [_group(request, workspace) for workspace in workspaces]
    for group in groups:
        is_asked = form is not None and str(group["workspace"].id) == asked
        group["form"] = form if is_asked else _form_for(request, group["rows"])
    context = {"groups": groups, "section": "prices"}
    return render(request, "viewer/prices.html", context, status=status)


@require_POST
def retire(request: HtmxRequest, price_id: UUID) -> HttpResponse:
    """Take a row out of force."""
    for workspace in workspaces_for_user(request.user):
        if may(request.user, KEEPER_ROLE, workspace) and retire_price(workspace, price_id):
            return HttpResponseRedirect(reverse("prices"))
    raise Http404("No price of yours has this id. It may have been retired already.")


def _group(request: HtmxRequest, workspace: Workspace) -> dict[str, Any]:
    return {
        "workspace": workspace,
        "rows": list_prices(workspace),
        "may_change": may(request.user, KEEPER_ROLE, workspace),
        "role": find_role(request.user, workspace),
    }


def _form_for(request: HtmxRequest, rows: list[ModelPrice]) -> PriceForm:
    wanted = request.GET.get("change", "")
    row = next((row for row in rows if str(row.id) == wanted), None)
    return PriceForm.of(row) if row is not None else PriceForm()


def _store(request: HtmxRequest, workspaces: list[Workspace], form: PriceForm) -> bool:
    """Store what the form holds; False where the form says what is wrong."""
    asked = request.POST.get("workspace", "")
    workspace = next((known for known in workspaces if str(known.id) == asked), None)
    if workspace is None:
        raise Http404("You are a member of no such workspace.")
    if not may(request.user, KEEPER_ROLE, workspace):
        raise PermissionDenied(
            "Viewers cannot change prices. An admin of the workspace can change your role."
        )
    if not form.is_valid():
        return False
    replaced_id, by = form.replaced_id(), request.user.get_username()
    try:
        if replaced_id is None:
            add_price(workspace, form.draft(), by=by)
        elif replace_price(workspace, replaced_id, form.draft(), by=by) is None:
            form.add_error(None, "This price was changed or retired meanwhile. Look at the table.")
            return False
    except InvalidPrice as error:
        form.add_error(None, str(error))
        return False
    return True
