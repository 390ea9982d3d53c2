-- A call of an erased person: only a tombstone without content stays. KEYS: summary, session, events, worker, context,
-- history, turns, outbox, auth. ARGV: tombstone, its TTL.
local there = redis.call('EXISTS', unpack(KEYS))
redis.call('UNLINK', unpack(KEYS, 2, #KEYS))
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return there
