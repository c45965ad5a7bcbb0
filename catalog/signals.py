"""What the catalogue announces. It never imports who listens.

``revision_added``     sender=Revision, revision=Revision: a decodable file was accepted.
``revision_removed``   sender=Revision, content_sha256=str: the file, row and derived files of a
                       revision are gone; ``content_sha256`` may still be held by another revision.
``reanalysis_wanted``  sender=Revision, revision_ids=list[UUID]: the owner asked to listen again.
"""

from django.dispatch import Signal

revision_added = Signal()
revision_removed = Signal()
reanalysis_wanted = Signal()
