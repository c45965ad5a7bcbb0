"""Labelling the timbre of voices: consent, clips, votes, consensus, import and export."""
