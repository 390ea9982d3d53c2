-- Opens or closes the episode of a rule, so that of many who try, and of one who is sent twice, one alone is told 1.
-- KEYS: episodes. ARGV: 'open' or 'close', rule, the caller's own text, TTL. A rule's name holds no '#'.
local episodes = KEYS[1]
local verb, rule, own, closed = ARGV[1], ARGV[2], ARGV[3], ARGV[2] .. '#'
local there = redis.call('HGET', episodes, rule)
local mine
if verb == 'open' then
  if not there then
    redis.call('HSET', episodes, rule, own)
    redis.call('HDEL', episodes, closed)
    there = own
  end
  mine = there == own
else
  if there then
    redis.call('HDEL', episodes, rule)
    redis.call('HSET', episodes, closed, own)
  end
  mine = redis.call('HGET', episodes, closed) == own
end
redis.call('EXPIRE', episodes, ARGV[4])
return mine and 1 or 0
