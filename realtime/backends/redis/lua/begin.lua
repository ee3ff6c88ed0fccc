-- Make a partition's state if it has none, so that positions from now on are valid.
-- KEYS meta, index

load(KEYS[1], KEYS[2], now())
return 1
