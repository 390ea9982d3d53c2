-- The call was looked for in the legacy layouts, in vain. KEYS: session. A session that is gone must not come back as a
-- key without a TTL.
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSETNX', KEYS[1], '_legacy', 'none')
end
return 1
