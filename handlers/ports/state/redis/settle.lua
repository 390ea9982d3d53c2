-- A confirmed message leaves the outbox, unless a later revision waits there. KEYS: outbox, turns.
-- ARGV: field, revision, field of the stage times or '', stage times.
local waiting = redis.call('HGET', KEYS[1], ARGV[1])
if waiting then
  local revision = string.match(waiting, '^%d+ (%d+) ')
  if tonumber(revision) <= tonumber(ARGV[2]) then
    redis.call('HDEL', KEYS[1], ARGV[1])
  end
end
-- A call that is gone must not come back as a key without a TTL.
if ARGV[3] ~= '' and redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
end
return 1
