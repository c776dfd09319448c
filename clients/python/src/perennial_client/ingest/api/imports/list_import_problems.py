from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.list_import_problems_format import ListImportProblemsFormat
from ...models.page_problem_view import PageProblemView
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast
from uuid import UUID


def _get_kwargs(
    import_id: UUID,
    *,
    limit: int | Unset = 50,
    cursor: None | str | Unset = UNSET,
    format_: ListImportProblemsFormat | Unset = ListImportProblemsFormat.JSON,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["limit"] = limit

    json_cursor: None | str | Unset
    if isinstance(cursor, Unset):
        json_cursor = UNSET
    else:
        json_cursor = cursor
    params["cursor"] = json_cursor

    json_format_: str | Unset = UNSET
    if not isinstance(format_, Unset):
        json_format_ = format_.value

    params["format"] = json_format_

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v1/imports/{import_id}/problems".format(
            import_id=quote(str(import_id), safe=""),
        ),
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> PageProblemView | Problem | None:
    if response.status_code == 200:
        response_200 = PageProblemView.from_dict(response.json())

        return response_200

    if 400 <= response.status_code <= 499:
        response_4xx = Problem.from_dict(response.json())

        return response_4xx

    if 500 <= response.status_code <= 599:
        response_5xx = Problem.from_dict(response.json())

        return response_5xx

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[PageProblemView | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    import_id: UUID,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 50,
    cursor: None | str | Unset = UNSET,
    format_: ListImportProblemsFormat | Unset = ListImportProblemsFormat.JSON,
) -> Response[PageProblemView | Problem]:
    """List Import Problems

     List what was wrong with which row, in the order of the file; as CSV all at once.

    Args:
        import_id (UUID):
        limit (int | Unset): Most items of one page. Default: 50.
        cursor (None | str | Unset): `next_cursor` of the page before.
        format_ (ListImportProblemsFormat | Unset):  Default: ListImportProblemsFormat.JSON.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[PageProblemView | Problem]
    """

    kwargs = _get_kwargs(
        import_id=import_id,
        limit=limit,
        cursor=cursor,
        format_=format_,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    import_id: UUID,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 50,
    cursor: None | str | Unset = UNSET,
    format_: ListImportProblemsFormat | Unset = ListImportProblemsFormat.JSON,
) -> PageProblemView | Problem | None:
    """List Import Problems

     List what was wrong with which row, in the order of the file; as CSV all at once.

    Args:
        import_id (UUID):
        limit (int | Unset): Most items of one page. Default: 50.
        cursor (None | str | Unset): `next_cursor` of the page before.
        format_ (ListImportProblemsFormat | Unset):  Default: ListImportProblemsFormat.JSON.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        PageProblemView | Problem
    """

    return sync_detailed(
        import_id=import_id,
        client=client,
        limit=limit,
        cursor=cursor,
        format_=format_,
    ).parsed


async def asyncio_detailed(
    import_id: UUID,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 50,
    cursor: None | str | Unset = UNSET,
    format_: ListImportProblemsFormat | Unset = ListImportProblemsFormat.JSON,
) -> Response[PageProblemView | Problem]:
    """List Import Problems

     List what was wrong with which row, in the order of the file; as CSV all at once.

    Args:
        import_id (UUID):
        limit (int | Unset): Most items of one page. Default: 50.
        cursor (None | str | Unset): `next_cursor` of the page before.
        format_ (ListImportProblemsFormat | Unset):  Default: ListImportProblemsFormat.JSON.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[PageProblemView | Problem]
    """

    kwargs = _get_kwargs(
        import_id=import_id,
        limit=limit,
        cursor=cursor,
        format_=format_,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    import_id: UUID,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 50,
    cursor: None | str | Unset = UNSET,
    format_: ListImportProblemsFormat | Unset = ListImportProblemsFormat.JSON,
) -> PageProblemView | Problem | None:
    """List Import Problems

     List what was wrong with which row, in the order of the file; as CSV all at once.

    Args:
        import_id (UUID):
        limit (int | Unset): Most items of one page. Default: 50.
        cursor (None | str | Unset): `next_cursor` of the page before.
        format_ (ListImportProblemsFormat | Unset):  Default: ListImportProblemsFormat.JSON.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        PageProblemView | Problem
    """

    return (
        await asyncio_detailed(
            import_id=import_id,
            client=client,
            limit=limit,
            cursor=cursor,
            format_=format_,
        )
    ).parsed
