-- Gives a key a life where it has none. KEYS: the key. ARGV: seconds.
if redis.call('TTL', KEYS[1]) == -1 then
  return redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return 0
