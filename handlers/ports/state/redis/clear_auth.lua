-- Removes an authentication state that is not locked. KEYS: auth.
if redis.call('HGET', KEYS[1], 'locked') == '1' then
  return 0
end
redis.call('UNLINK', KEYS[1])
return 1
