"""`/v1/files` and `/v1/batches`: https://platform.openai.com/docs/api-reference/batch.

Bodies, and a file or a batch as its owner sees it.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict

from llmops_assets.gateway.batching.lines import ENDPOINTS
from llmops_assets.gateway.batching.store import Batch, File, Problem, Status
from llmops_assets.gateway.protocol.fields import Body, honoured, whole
from llmops_assets.gateway.protocol.sampling import Metadata

LEAST_SECONDS, MOST_SECONDS = 3600, 30 * 24 * 3600
"""How long a file may be kept."""
Seconds = Annotated[int, Field(ge=LEAST_SECONDS, le=MOST_SECONDS), BeforeValidator(whole)]


class Expiry(Body):
    """When a file is deleted, from its making on."""

    anchor: Literal["created_at"]
    seconds: Seconds


class FileBody(Body):
    """A file as it is sent, without its content, which is a part of its own (multipart/form-data)."""

    purpose: Literal["batch"] = honoured("`batch`: requests that a batch shall answer", ...)
    expires_after: Expiry | None = honoured(
        "when the file is deleted: `anchor` created_at, `seconds` 3600 to 2592000; without it after 30 days"
    )


class BatchBody(Body):
    """A batch that is asked for."""

    input_file_id: str = honoured("a file of yours that was sent with the purpose `batch`", ..., max_length=64)
    endpoint: str = honoured(
        "the address that all lines of the file name", ..., schema={"enum": list(ENDPOINTS)}, max_length=60
    )
    completion_window: Literal["24h"] = honoured("`24h`: what is not answered by then is told as expired", ...)
    metadata: Annotated[Metadata, Field(max_length=16)] | None = honoured(
        "kept with the batch, without personal data in the values"
    )
    output_expires_after: Expiry | None = honoured("as `expires_after` of files, for what the batch makes")


class FileObject(TypedDict):
    """A file. Times are Unix seconds."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: Literal["processed"]
    status_details: None


class FileList(TypedDict):
    """Files of the caller's own."""

    object: Literal["list"]
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class FileDeleted(TypedDict):
    """A file is gone."""

    id: str
    object: Literal["file"]
    deleted: bool


class RequestCounts(TypedDict):
    """Lines of a batch: all, those that were answered, those that were refused or not asked in time."""

    total: int
    completed: int
    failed: int


class Problems(TypedDict):
    """Why a batch failed."""

    object: Literal["list"]
    data: list[Problem]


class BatchObject(TypedDict):
    """A batch. Times are Unix seconds, null: not so far, or not so."""

    id: str
    object: Literal["batch"]
    endpoint: str
    errors: Problems | None
    input_file_id: str
    completion_window: Literal["24h"]
    status: Status
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: RequestCounts
    metadata: dict[str, str] | None


class BatchList(TypedDict):
    """Batches of the caller's own, the newest first."""

    object: Literal["list"]
    data: list[BatchObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


def file_object(file: File) -> FileObject:
    """A file as its owner sees it."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created,
        "expires_at": file.expires,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def batch_object(batch: Batch) -> BatchObject:
    """A batch as its owner sees it."""

    def ended(status: str) -> int | None:
        return batch.ended if batch.status == status else None

    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": batch.problems} if batch.problems else None,
        "input_file_id": batch.input,
        "completion_window": "24h",
        "status": batch.status,
        "output_file_id": batch.output,
        "error_file_id": batch.errors,
        "created_at": batch.created,
        "in_progress_at": batch.begun,
        "expires_at": batch.expires,
        "finalizing_at": batch.ended,
        "completed_at": ended("completed"),
        "failed_at": ended("failed"),
        "expired_at": ended("expired"),
        "cancelling_at": batch.cancelling,
        "cancelled_at": ended("cancelled"),
        "request_counts": {"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        "metadata": batch.metadata or None,
    }


def page(items: list[Any], more: bool) -> dict[str, Any]:
    """A list of files or batches."""
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": more}
