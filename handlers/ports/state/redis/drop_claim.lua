-- Removes a claim, never audio. KEYS: audio. ARGV: the caller's claim and 'own', or what every claim begins with and 'any'.
-- One byte more than the claim is read for 'own', so that a longer value is not taken for it.
local last = ARGV[2] == 'any' and #ARGV[1] - 1 or #ARGV[1]
if redis.call('GETRANGE', KEYS[1], 0, last) == ARGV[1] then
  redis.call('UNLINK', KEYS[1])
end
return 1
