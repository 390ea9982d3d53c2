-- The archive is complete: summary in, state out. KEYS: summary, session, events, worker, context, history, turns,
-- outbox, auth. ARGV: summary, its TTL, entries of the history that are archived, then the archived outbox fields.
local archived = {}
for i = 4, #ARGV do
  archived[ARGV[i]] = true
end
for _, field in ipairs(redis.call('HKEYS', KEYS[8])) do
  if not archived[field] then
    return 0
  end
end
if redis.call('LLEN', KEYS[6]) > tonumber(ARGV[3]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('UNLINK', unpack(KEYS, 2, #KEYS))
return 1
