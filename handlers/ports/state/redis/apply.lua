-- One event on one call. KEYS: session, events, summary, context, history, turns, outbox.
-- ARGV: event id or '', effect, at, now, TTLs (session, ended, context, outbox), argument, participants, phone user,
-- wrapped key or '', then pairs of session fields.
-- The argument is the end reason for 'end' and the sequence number for 'participants'.
local session, events, summary, context, history, turns, outbox = unpack(KEYS)
local event, effect, at, now = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('EXISTS', summary) == 1 then
  return { 'archived' }
end
local status, key = unpack(redis.call('HMGET', session, 'status', '_key'))
local wrap = ARGV[12]
if wrap ~= '' and key and key ~= wrap then
  return { 'rekey' }
end
if event ~= '' and redis.call('SADD', events, event) == 0 then
  return { 'duplicate', redis.call('HGETALL', session) }
end
local ended = status == 'ended'
if not status then
  redis.call('HSET', session, 'status', 'provisional', 'openedAt', now, '_legacy', 'none')
end
if wrap ~= '' and not key then
  redis.call('HSET', session, '_key', wrap)
end
if effect == 'connect' then
  redis.call('HSETNX', session, 'connectedAt', at)
  if not ended then
    redis.call('HSET', session, 'status', 'connected')
    if redis.call('EXISTS', context) == 0 then
      local turns_taken = tonumber(redis.call('HGET', session, 'lastSeq') or '0')
      redis.call('HSET', context, turns_taken > 0 and '_rebuiltAt' or '_createdAt', now)
    end
  end
elseif effect == 'end' then
  if not ended then
    redis.call('HSET', session, 'status', 'ended', 'endedAt', at)
    redis.call('HSETNX', session, 'endReason', ARGV[9])
    redis.call('HSET', outbox, 'ended', now .. ' 0 - 0 0 ')
  end
elseif effect == 'participants' then
  local taken = redis.call('HGET', session, 'participantsSeq')
  if not taken or tonumber(ARGV[9]) > tonumber(taken) then
    redis.call('HSET', session, 'participants', ARGV[10], 'participantsSeq', ARGV[9])
    if ARGV[11] ~= '' then
      redis.call('HSET', session, 'phoneUser', ARGV[11])
    end
  end
end
local write = (ended and effect ~= 'note') and 'HSETNX' or 'HSET'
for i = 13, #ARGV, 2 do
  redis.call(write, session, ARGV[i], ARGV[i + 1])
end
redis.call('HSET', session, 'lastActivity', now)
local ttl = (ended or effect == 'end') and ARGV[6] or ARGV[5]
for _, key in ipairs({ session, events, history, turns }) do
  redis.call('EXPIRE', key, ttl)
end
redis.call('EXPIRE', context, ARGV[7])
redis.call('EXPIRE', outbox, ARGV[8])
return { ended and 'ended' or 'applied', redis.call('HGETALL', session) }
