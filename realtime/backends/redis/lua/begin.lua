-- Make a partition's state where there is none, so that positions from now on count.
-- KEYS meta, index

load(KEYS[1], KEYS[2], now())
return 1
