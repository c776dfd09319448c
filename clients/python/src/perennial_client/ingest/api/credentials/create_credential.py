from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.credential_body import CredentialBody
from ...models.new_credential import NewCredential
from ...models.problem import Problem
from typing import cast


def _get_kwargs(
    *,
    body: CredentialBody,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v1/credentials",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> NewCredential | Problem | None:
    if response.status_code == 201:
        response_201 = NewCredential.from_dict(response.json())

        return response_201

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
) -> Response[NewCredential | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: CredentialBody,
) -> Response[NewCredential | Problem]:
    """Create Credential

     Make a key; a terminal has at most two that are active, the old one and its successor.

    It works here at once, and in the other services within seconds. A lost answer is no harm:
    revoke the key that the list shows, and make another.

    It takes no ``Idempotency-Key``: to replay the answer, the key would have to be stored.

    Args:
        body (CredentialBody): A key to make.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[NewCredential | Problem]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: CredentialBody,
) -> NewCredential | Problem | None:
    """Create Credential

     Make a key; a terminal has at most two that are active, the old one and its successor.

    It works here at once, and in the other services within seconds. A lost answer is no harm:
    revoke the key that the list shows, and make another.

    It takes no ``Idempotency-Key``: to replay the answer, the key would have to be stored.

    Args:
        body (CredentialBody): A key to make.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        NewCredential | Problem
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: CredentialBody,
) -> Response[NewCredential | Problem]:
    """Create Credential

     Make a key; a terminal has at most two that are active, the old one and its successor.

    It works here at once, and in the other services within seconds. A lost answer is no harm:
    revoke the key that the list shows, and make another.

    It takes no ``Idempotency-Key``: to replay the answer, the key would have to be stored.

    Args:
        body (CredentialBody): A key to make.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[NewCredential | Problem]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: CredentialBody,
) -> NewCredential | Problem | None:
    """Create Credential

     Make a key; a terminal has at most two that are active, the old one and its successor.

    It works here at once, and in the other services within seconds. A lost answer is no harm:
    revoke the key that the list shows, and make another.

    It takes no ``Idempotency-Key``: to replay the answer, the key would have to be stored.

    Args:
        body (CredentialBody): A key to make.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        NewCredential | Problem
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
