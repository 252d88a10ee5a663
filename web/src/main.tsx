import "./style/page.css";
import { render } from "preact";
import { App } from "./app";
import { link } from "./state/app";

const host = document.getElementById("page");
if (host) render(<App />, host);
link.start();
