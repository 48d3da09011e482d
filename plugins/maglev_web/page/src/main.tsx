import { render } from "solid-js/web";
import "uplot/dist/uPlot.min.css";
import { App } from "./App";
import { start } from "./model";
import "./style.css";

start();
render(() => <App />, document.getElementById("root")!);
