"""What happens when several do something at once: real transactions that commit, on real connections."""
