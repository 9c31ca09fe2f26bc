"""The gateway's pages for people: what is served and how it does, and a chat to try it. Nothing from elsewhere."""
