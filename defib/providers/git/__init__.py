"""Git: the remotes that hold a site's sources, asked with the plain `git` program."""
