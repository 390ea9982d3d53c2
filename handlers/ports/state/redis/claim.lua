-- Claims a call for a worker, by compare and set. KEYS: worker. ARGV: worker, token or '', fresh token, now, until, TTL,
-- token of a lease whose owner was found dead, or ''.
local owner, token, till = unpack(redis.call('HMGET', KEYS[1], 'owner', 'token', 'until'))
local live = owner and tonumber(till) > tonumber(ARGV[4]) and token ~= ARGV[7]
if live and (owner ~= ARGV[1] or (ARGV[2] ~= '' and ARGV[2] ~= token)) then
  return { 'held', owner, token, till, '' }
end
local mine = live and token or ARGV[3]
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', mine, 'until', ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[6])
return { 'ok', ARGV[1], mine, ARGV[5], (owner and owner ~= ARGV[1]) and owner or '' }
