"""Profiles in, lists as Redis holds them out: ranked together, naming all they were made from."""

from collections.abc import Sequence

from millstream.models.recommender import Recommender, Request
from millstream.streams.listing import Listing, encode_listing, listing_id
from millstream.streams.replica import Replica
from millstream.streams.settings import Settings


class ListMaker:
    """Makes lists with the item model and the catalogue as a replica has them. Reads only."""

    def __init__(self, settings: Settings, replica: Replica, recommender: Recommender) -> None:
        self._settings_hash = settings.shape_hash()
        self._replica = replica
        self._recommender = recommender

    @property
    def knows_items(self) -> bool:
        """Return whether there is anything to list."""
        return len(self._replica.model.rows) > 0

    def make(self, requests: Sequence[Request], versions: Sequence[bytes]) -> list[bytes]:
        """Return each request's list as JSON; `versions` are those of the packed profiles."""
        ranked = self._recommender.rank(requests, self._replica.catalogue)
        model, catalogue = self._replica.model.offset, list(self._replica.catalogue.versions)
        return [
            encode_listing(
                Listing(
                    listing_id(request.user, version, model, request.now_ms),
                    request.user,
                    request.now_ms,
                    request.profile.as_of,
                    model,
                    self._settings_hash,
                    catalogue,
                    listed,
                )
            )
            for request, version, listed in zip(requests, versions, ranked, strict=True)
        ]
