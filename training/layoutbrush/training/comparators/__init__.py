"""The methods that the full recipe is compared with: each a set of switches on the same networks, data and losses."""
