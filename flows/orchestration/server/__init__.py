"""The life of Prefect's server: started, watched, ended; its database, and what it missed."""
