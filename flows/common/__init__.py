"""What every folder needs: errors, files, progress."""
