"""Count: the owner of one predictions partition turns rows into closed panes."""
