"""The report of a track on a sheet of paper: PDF to print and send, PNG for messages and posts.

Both are drawn by the same layout on two surfaces. No Django in here.
"""

from analysis.sheet.layout import Sheet, sheet_pdf, sheet_png

__all__ = ["Sheet", "sheet_pdf", "sheet_png"]
