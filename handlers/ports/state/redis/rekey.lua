-- The call's key wrapped anew, where it is still wrapped as it was. KEYS: session. ARGV: old wrap, new wrap.
local key = redis.call('HGET', KEYS[1], '_key')
if key ~= ARGV[1] then
  return key == ARGV[2] and 1 or 0
end
redis.call('HSET', KEYS[1], '_key', ARGV[2])
return 1
