-- The facts of the profile go into the context of an open call. KEYS: session, context. ARGV: facts, TTL of the context.
local status = redis.call('HGET', KEYS[1], 'status')
if not status or status == 'ended' then
  return 0
end
redis.call('HSET', KEYS[2], '_profile', ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
