"""Finding music by its sound: search, reasons, the map, playlists."""
