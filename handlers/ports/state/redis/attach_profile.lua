-- The facts of the profile go into the context of an open call. KEYS: session, context. ARGV: facts, TTL of the context,
-- now.
local status = redis.call('HGET', KEYS[1], 'status')
if not status or status == 'ended' then
  return 0
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  local turns_taken = tonumber(redis.call('HGET', KEYS[1], 'lastSeq') or '0')
  redis.call('HSET', KEYS[2], turns_taken > 0 and '_rebuiltAt' or '_createdAt', ARGV[3])
end
redis.call('HSET', KEYS[2], '_profile', ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
