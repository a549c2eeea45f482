"""Who may do what: organizations, principals, keys, roles and workspaces' labels."""
