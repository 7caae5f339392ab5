"""Sample traces for looking at, told as clients tell theirs: `manage.py seed_demo`."""
