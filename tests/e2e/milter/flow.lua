-- Two mails on one connection, the first with a long header (miltertest 1.6 has room for a kilobyte) and a body of a megabyte, through a peer that honours what
-- the archive asked not to be answered.
conn = mt.connect(socket)
if conn == nil then error("no connection") end
if mt.negotiate(conn, 6, nil, nil) ~= nil then error("negotiation") end
mt.macro(conn, SMFIC_CONNECT, "j", "mx.maison.example", "{daemon_name}", "mx")
if mt.conninfo(conn, "client.example", "192.0.2.7") ~= nil then error("connect") end
mt.helo(conn, "client.example")
for number = 1, 2 do
  mt.macro(conn, SMFIC_MAIL, "i", "4LUA" .. number)
  if mt.mailfrom(conn, "<paul@ailleurs.example>") ~= nil then error("mail") end
  if mt.getreply(conn) ~= SMFIR_CONTINUE then error("mail was not accepted") end
  mt.rcptto(conn, "<achats@maison.example>")
  mt.rcptto(conn, "<secret@maison.example>")
  mt.data(conn)
  mt.header(conn, "Subject", "lua " .. number)
  mt.header(conn, "X-Long", "word" .. string.rep(" word", 149))
  mt.header(conn, "X-Empty", "")
  mt.eoh(conn)
  if number == 1 then
    for i = 1, 16 do mt.bodystring(conn, string.rep("ligne\r\n", 9000)) end
  end
  mt.bodystring(conn, "fin " .. number .. "\r\n")
  if mt.eom(conn) ~= nil then error("end of message") end
  if mt.getreply(conn) ~= SMFIR_ACCEPT then error("mail " .. number .. " was not accepted") end
end
mt.disconnect(conn)
