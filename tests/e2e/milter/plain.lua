-- A peer that can leave out no answer (version 2, as an old mail server): every command is answered.
conn = mt.connect(socket)
if mt.negotiate(conn, 2, SMFIF_ADDHDRS, 0) ~= nil then error("negotiation") end
function answered(what)
  if mt.getreply(conn) ~= SMFIR_CONTINUE then error(what .. " was not answered") end
end
mt.conninfo(conn, "client.example", "192.0.2.7")
answered("connect")
mt.helo(conn, "client.example")
answered("helo")
mt.mailfrom(conn, "<paul@ailleurs.example>")
answered("mail")
mt.rcptto(conn, "<achats@maison.example>")
answered("rcpt")
mt.header(conn, "Subject", "simple")
answered("header")
mt.eoh(conn)
answered("end of header")
mt.bodystring(conn, "texte\r\n")
answered("body")
mt.eom(conn)
if mt.getreply(conn) ~= SMFIR_ACCEPT then error("not accepted") end
mt.disconnect(conn)
