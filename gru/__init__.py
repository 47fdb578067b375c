"""The gated recurrent unit, explained and exact."""
