-- One authentication attempt. KEYS: auth. ARGV: '1' or '0', state as JSON, most attempts, TTL.
-- Fields: state (JSON of what was said), failed, locked.
if redis.call('HGET', KEYS[1], 'locked') == '1' then
  return { 'locked', redis.call('HGETALL', KEYS[1]), redis.call('TTL', KEYS[1]) }
end
if ARGV[1] == '1' then
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'failed', 0, 'locked', 0)
else
  local failed = redis.call('HINCRBY', KEYS[1], 'failed', 1)
  redis.call('HSET', KEYS[1], 'state', ARGV[2], 'locked', failed >= tonumber(ARGV[3]) and 1 or 0)
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return { 'taken', redis.call('HGETALL', KEYS[1]), redis.call('TTL', KEYS[1]) }
