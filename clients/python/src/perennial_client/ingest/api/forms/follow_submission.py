from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.problem import Problem
from ...models.submission_status import SubmissionStatus
from typing import cast
from uuid import UUID


def _get_kwargs(
    form_id: str,
    submission_id: UUID,
) -> dict[str, Any]:

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v1/forms/{form_id}/submissions/{submission_id}".format(
            form_id=quote(str(form_id), safe=""),
            submission_id=quote(str(submission_id), safe=""),
        ),
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Problem | SubmissionStatus | None:
    if response.status_code == 200:
        response_200 = SubmissionStatus.from_dict(response.json())

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
) -> Response[Problem | SubmissionStatus]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    form_id: str,
    submission_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Response[Problem | SubmissionStatus]:
    """Follow Submission

     Follow a submission: a sign-up names its member once that is enrolled.

    Args:
        form_id (str):
        submission_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | SubmissionStatus]
    """

    kwargs = _get_kwargs(
        form_id=form_id,
        submission_id=submission_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    form_id: str,
    submission_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Problem | SubmissionStatus | None:
    """Follow Submission

     Follow a submission: a sign-up names its member once that is enrolled.

    Args:
        form_id (str):
        submission_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | SubmissionStatus
    """

    return sync_detailed(
        form_id=form_id,
        submission_id=submission_id,
        client=client,
    ).parsed


async def asyncio_detailed(
    form_id: str,
    submission_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Response[Problem | SubmissionStatus]:
    """Follow Submission

     Follow a submission: a sign-up names its member once that is enrolled.

    Args:
        form_id (str):
        submission_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | SubmissionStatus]
    """

    kwargs = _get_kwargs(
        form_id=form_id,
        submission_id=submission_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    form_id: str,
    submission_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Problem | SubmissionStatus | None:
    """Follow Submission

     Follow a submission: a sign-up names its member once that is enrolled.

    Args:
        form_id (str):
        submission_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | SubmissionStatus
    """

    return (
        await asyncio_detailed(
            form_id=form_id,
            submission_id=submission_id,
            client=client,
        )
    ).parsed
