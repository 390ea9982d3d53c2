-- Books audio in the index, where there is room. KEYS: index. ARGV: hash, bytes, now and expiry in seconds, most bytes,
-- TTL. Members are hash:bytes with the expiry as score; the member 'total' has minus the sum as score, below all others.
local index = KEYS[1]
for _, member in ipairs(redis.call('ZRANGEBYSCORE', index, 1, ARGV[3], 'LIMIT', 0, 200)) do
  redis.call('ZREM', index, member)
  redis.call('ZINCRBY', index, tonumber(string.match(member, ':(%d+)$')), 'total')
end
local total = -tonumber(redis.call('ZSCORE', index, 'total') or '0')
local member = ARGV[1] .. ':' .. ARGV[2]
local known = redis.call('ZSCORE', index, member)
if not known and total + tonumber(ARGV[2]) > tonumber(ARGV[5]) then
  return 0
end
redis.call('ZADD', index, ARGV[4], member)
if not known then
  redis.call('ZINCRBY', index, -tonumber(ARGV[2]), 'total')
end
redis.call('EXPIRE', index, ARGV[6])
return 1
