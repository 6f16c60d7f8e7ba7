"""Every metric: its name, kind, labels and what it says. docs/metrics.md holds the same table."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, get_args

EventTypeLabel = Literal[
    "view",
    "click",
    "cart",
    "purchase",
    "like",
    "dislike",
    "rating",
    "dwell",
    "impression",
    "hide",
    "merge",
    "unknown",
]
EventOutcome = Literal["applied", "duplicate", "late", "rejected", "skipped"]
RejectReason = Literal[
    "no-value",
    "too-large",
    "too-deep",
    "not-utf8",
    "not-json",
    "not-an-object",
    "unknown-version",
    "missing-user",
    "missing-item",
    "missing-type",
    "missing-ts",
    "missing-value",
    "missing-into",
    "bad-user",
    "bad-item",
    "bad-into",
    "bad-id",
    "unknown-type",
    "bad-ts",
    "bad-value",
]
ItemOutcome = Literal["accepted", "deleted", "rejected"]
ItemRejectReason = Literal["not-json", "not-an-object", "bad-item", "bad-field", "too-large"]
EmbedOutcome = Literal["encoded", "cached", "kept", "empty", "failed"]
EmbedModality = Literal["text", "image", "audio", "categories", "numbers"]
EmbedStage = Literal["read", "load", "encode", "publish"]
MediaRejectReason = Literal[
    "bad-image",
    "bad-audio",
    "bad-video",
    "bad-vector",
    "media-reference",
    "media-missing",
    "media-forbidden",
    "media-unreachable",
    "media-too-large",
]
InteractionOutcome = Literal["learnt", "weightless", "repeat", "unreadable"]
FrameOutcome = Literal["applied", "dropped", "emitted", "foreign"]
SnapshotOutcome = Literal["written", "failed", "loaded", "refused"]
Ranking = Literal["fused", "pop"]
DriftTo = Literal["better", "worse"]
CacheOutcome = Literal["hit", "miss"]
CatalogueState = Literal["known", "hidden", "expired"]
TopicAlias = Literal["clicks", "views", "feedback", "interactions", "item-deltas", "items"]
Stage = Literal[
    "queue",
    "model",
    "decode",
    "load",
    "merge",
    "publish",
    "rank",
    "write",
    "progress",
    "total",
]

OTHER: Final = "other"
"""What a value outside its closed set is counted under: no input makes a new series."""

Kind = Literal["counter", "gauge", "histogram", "info"]
MetricName = Literal[
    "millstream_events_total",
    "millstream_rejects_total",
    "millstream_items_total",
    "millstream_item_rejects_total",
    "millstream_embeddings_total",
    "millstream_embeddings_old_items",
    "millstream_embed_seconds",
    "millstream_media_rejects_total",
    "millstream_interactions_total",
    "millstream_described_items_total",
    "millstream_list_latency_seconds",
    "millstream_lag_records",
    "millstream_batch_size_records",
    "millstream_lists_written_total",
    "millstream_lists_renewed_total",
    "millstream_conflicts_total",
    "millstream_profile_size_bytes",
    "millstream_frames_total",
    "millstream_model_age_seconds",
    "millstream_model_offset",
    "millstream_learner_offset",
    "millstream_learn_hit_ratio",
    "millstream_learn_drifts_total",
    "millstream_gaps_total",
    "millstream_removed_total",
    "millstream_progress_moved_total",
    "millstream_store_errors_total",
    "millstream_snapshots_total",
    "millstream_catalogue_items",
    "millstream_cache_lookups_total",
    "millstream_build_info",
    "millstream_alive",
    "millstream_ready",
]


class Metric(NamedTuple):
    """What a metric is. `labels` maps each label to its closed set."""

    kind: Kind
    help: str
    labels: Mapping[str, tuple[str, ...]] = {}


METRICS: Final[Mapping[MetricName, Metric]] = {
    "millstream_events_total": Metric(
        "counter",
        "Events read from the event topics, by what became of them.",
        {"type": get_args(EventTypeLabel), "outcome": get_args(EventOutcome)},
    ),
    "millstream_rejects_total": Metric(
        "counter",
        "Records that are no events and went to the dead letters.",
        {"reason": get_args(RejectReason)},
    ),
    "millstream_items_total": Metric(
        "counter", "Catalogue records read by ENCODE.", {"outcome": get_args(ItemOutcome)}
    ),
    "millstream_item_rejects_total": Metric(
        "counter", "Catalogue records that are no items.", {"reason": get_args(ItemRejectReason)}
    ),
    "millstream_embeddings_total": Metric(
        "counter",
        "Inputs of items seen by ENCODE, by what became of them.",
        {"modality": get_args(EmbedModality), "outcome": get_args(EmbedOutcome)},
    ),
    "millstream_embeddings_old_items": Metric(
        "gauge", "Items whose vectors are of an older encoder and wait to be made anew."
    ),
    "millstream_embed_seconds": Metric(
        "histogram", "Time of each stage of a batch of ENCODE.", {"stage": get_args(EmbedStage)}
    ),
    "millstream_media_rejects_total": Metric(
        "counter",
        "Inputs of items that could not be used, so that the item goes without.",
        {"reason": get_args(MediaRejectReason)},
    ),
    "millstream_interactions_total": Metric(
        "counter", "Interactions folded by LEARN.", {"outcome": get_args(InteractionOutcome)}
    ),
    "millstream_described_items_total": Metric(
        "counter", "Descriptions of items folded by LEARN: what they look like, or that they went."
    ),
    "millstream_list_latency_seconds": Metric(
        "histogram",
        "Time on the way from event to list: by event for total, by batch for each stage.",
        {"stage": get_args(Stage)},
    ),
    "millstream_lag_records": Metric(
        "gauge",
        "Records in the partitions of this worker that are not applied yet.",
        {"topic": get_args(TopicAlias)},
    ),
    "millstream_batch_size_records": Metric("histogram", "Records taken together as one batch."),
    "millstream_lists_written_total": Metric("counter", "Lists written to the store for events."),
    "millstream_lists_renewed_total": Metric(
        "counter", "Lists that had grown old and were made again in idle time."
    ),
    "millstream_conflicts_total": Metric(
        "counter", "Writes refused because the profile had changed; merged and tried again."
    ),
    "millstream_profile_size_bytes": Metric("histogram", "Size of packed profiles as written."),
    "millstream_frames_total": Metric(
        "counter", "Frames of the item model.", {"outcome": get_args(FrameOutcome)}
    ),
    "millstream_model_age_seconds": Metric(
        "gauge", "Age of the newest interaction in this worker's item model; NaN before the first."
    ),
    "millstream_model_offset": Metric(
        "gauge", "Interactions that this worker's replica of the item model holds."
    ),
    "millstream_learner_offset": Metric("gauge", "Interactions that LEARN has folded."),
    "millstream_learn_hit_ratio": Metric(
        "gauge",
        "Share of the latest 5,000 choices that stood among the first ten, by what ranked them.",
        {"by": get_args(Ranking)},
    ),
    "millstream_learn_drifts_total": Metric(
        "counter",
        "Times that the lead of the fused list's hits over popularity's changed.",
        {"to": get_args(DriftTo)},
    ),
    "millstream_gaps_total": Metric(
        "counter", "Records that nobody delivered and that were read again."
    ),
    "millstream_removed_total": Metric(
        "counter", "Records that retention removed before they were read: lost."
    ),
    "millstream_progress_moved_total": Metric(
        "counter", "Times that progress in the store was not what this worker had written."
    ),
    "millstream_store_errors_total": Metric("counter", "Calls to the store that failed."),
    "millstream_snapshots_total": Metric(
        "counter", "Snapshots of the learner.", {"outcome": get_args(SnapshotOutcome)}
    ),
    "millstream_catalogue_items": Metric(
        "gauge", "Items, by state.", {"state": get_args(CatalogueState)}
    ),
    "millstream_cache_lookups_total": Metric(
        "counter", "Profiles looked for in the cache.", {"outcome": get_args(CacheOutcome)}
    ),
    "millstream_build_info": Metric("info", "The version that runs; always 1."),
    "millstream_alive": Metric("gauge", "1 while the worker is alive, as /healthz says."),
    "millstream_ready": Metric("gauge", "1 while the worker is ready, as /readyz says."),
}
