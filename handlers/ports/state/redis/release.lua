-- Gives a claim up. KEYS: worker. ARGV: worker, token or '', now, token of a lease whose owner was found dead, or ''.
local owner, token, till = unpack(redis.call('HMGET', KEYS[1], 'owner', 'token', 'until'))
if not owner or tonumber(till) <= tonumber(ARGV[3]) or token == ARGV[4] then
  return { 'free', '', '', '0' }
end
if owner ~= ARGV[1] or (ARGV[2] ~= '' and ARGV[2] ~= token) then
  return { 'held', owner, token, till }
end
redis.call('UNLINK', KEYS[1])
return { 'released', owner, token, till }
