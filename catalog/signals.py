"""What the catalogue announces. It never imports who listens.

``tracks_added``       sender=Track, tracks=list[Track]: of one artist, with or without sound; sent
                       inside the transaction that makes them.
``revision_added``     sender=Revision, revision=Revision: a decodable file was accepted.
``revision_removed``   sender=Revision, content_sha256=str: the file, row and derived files of a
                       revision are gone; ``content_sha256`` may still be held by another revision.
``grant_revoked``      sender=PartnerGrant, grant=PartnerGrant: an artist took her permission back;
                       sent inside the transaction in which she does.
``reanalysis_wanted``  sender=Revision, revision_ids=list[UUID]: the owner asked to listen again.
``training_consent_given``, ``training_consent_withdrawn``
                       sender=Artist, artist=Artist, track_ids=list[UUID] | None: said about these
                       tracks, or (None) about the artist's recordings as a whole. Sent within the
                       transaction that writes it: what a receiver removes goes together with it.
"""

from django.dispatch import Signal

tracks_added = Signal()
revision_added = Signal()
revision_removed = Signal()
grant_revoked = Signal()
reanalysis_wanted = Signal()
training_consent_given = Signal()
training_consent_withdrawn = Signal()
