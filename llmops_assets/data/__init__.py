"""Assets of the group data: from raw conversations to audited datasets."""
