-- One turn, decided once. KEYS: session, events, summary, context, history, turns, outbox.
-- ARGV: turn id, now, entry, TTLs (session, context, outbox), user mode (keep, set, remove), user, most keys and most
-- bytes of a context, number of keys to set, then pairs to set, then keys to delete.
-- The number of a turn is its place in the history, so the turns hash holds the number alone.
local session, events, summary, context, history, turns, outbox = unpack(KEYS)
local turn, now, entry = ARGV[1], ARGV[2], ARGV[3]
local known = redis.call('HGET', turns, turn)
if known then
  return { 'known', redis.call('LINDEX', history, tonumber(known) - 1) }
end
local status = redis.call('HGET', session, 'status')
if status == 'ended' or redis.call('EXISTS', summary) == 1 then
  return { 'ended' }
end
local first_delete = 12 + 2 * tonumber(ARGV[11])
local deleted = {}
for i = first_delete, #ARGV do
  deleted[ARGV[i]] = true
end
if first_delete > 12 then
  local merged = {}
  local stored = redis.call('HGETALL', context)
  for i = 1, #stored, 2 do
    if string.sub(stored[i], 1, 1) ~= '_' and not deleted[stored[i]] then
      merged[stored[i]] = #stored[i + 1]
    end
  end
  for i = 12, first_delete - 1, 2 do
    merged[ARGV[i]] = #ARGV[i + 1]
  end
  local keys, bytes = 0, 0
  for key, size in pairs(merged) do
    keys, bytes = keys + 1, bytes + #key + size
  end
  if keys > tonumber(ARGV[9]) or bytes > tonumber(ARGV[10]) then
    return { 'full' }
  end
end
if not status then
  redis.call('HSET', session, 'status', 'provisional', 'openedAt', now, '_legacy', 'none')
end
local seq = redis.call('HINCRBY', session, 'lastSeq', 1)
redis.call('HSET', session, 'lastActivity', now)
local frame = seq .. ' ' .. entry
redis.call('RPUSH', history, frame)
redis.call('HSET', turns, turn, seq)
redis.call('HSET', outbox, 't:' .. turn, now .. ' 0 ' .. frame)
if redis.call('EXISTS', context) == 0 then
  redis.call('HSET', context, seq > 1 and '_rebuiltAt' or '_createdAt', now)
end
if first_delete > 12 then
  redis.call('HSET', context, unpack(ARGV, 12, first_delete - 1))
end
if first_delete <= #ARGV then
  redis.call('HDEL', context, unpack(ARGV, first_delete, #ARGV))
end
if ARGV[7] == 'set' then
  redis.call('HSET', session, 'user', ARGV[8])
elseif ARGV[7] == 'remove' then
  redis.call('HDEL', session, 'user')
end
redis.call('EXPIRE', session, ARGV[4])
redis.call('EXPIRE', events, ARGV[4])
redis.call('EXPIRE', history, ARGV[4])
redis.call('EXPIRE', turns, ARGV[4])
redis.call('EXPIRE', context, ARGV[5])
redis.call('EXPIRE', outbox, ARGV[6])
return { 'new', seq }
