-- One authentication attempt. KEYS: auth. ARGV: '1' or '0', state as JSON, most attempts, TTL, id of this attempt.
-- Fields: state (JSON of what was said), failed, locked, attempt (id of the last one: sent twice, it counts once).
if redis.call('HGET', KEYS[1], 'attempt') == ARGV[5] then
  return { 'taken', redis.call('HGETALL', KEYS[1]), redis.call('TTL', KEYS[1]) }
end
if redis.call('HGET', KEYS[1], 'locked') == '1' then
  return { 'locked', redis.call('HGETALL', KEYS[1]), redis.call('TTL', KEYS[1]) }
end
if ARGV[1] == '1' then
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'attempt', ARGV[5], 'failed', 0, 'locked', 0)
else
  local failed = redis.call('HINCRBY', KEYS[1], 'failed', 1)
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'attempt', ARGV[5], 'locked', failed >= tonumber(ARGV[3]) and 1 or 0)
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return { 'taken', redis.call('HGETALL', KEYS[1]), redis.call('TTL', KEYS[1]) }
