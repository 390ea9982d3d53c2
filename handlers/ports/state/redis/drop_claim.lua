-- Removes a claim that is still the caller's. KEYS: audio. ARGV: the claim.
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1]) == ARGV[1] then
  redis.call('UNLINK', KEYS[1])
end
return 1
