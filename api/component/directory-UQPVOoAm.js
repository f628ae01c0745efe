import{ApiError as e,E as t,G as n,Y as r,a as i,k as a,l as o,m as s,n as c,o as l,p as u,q as d,t as f,v as p}from"./session-booking.js";var m={title:`Choose a coach`,search:`Search by name, topic or headline`,choose:`See times`,none:`No coach was found.`,more:`Show more`,back:`All coaches`},h={title:`Coach auswählen`,search:`Nach Name, Thema oder Beschreibung suchen`,choose:`Termine zeigen`,none:`Es wurde kein Coach gefunden.`,more:`Mehr zeigen`,back:`Alle Coaches`};function g(e){return a(`directory`,{en:m,de:h},e)}var _=12,v=300,y=class{#e=new f({mentors:[],nextCursor:null,isLoading:!0,error:null});#t;#n=``;constructor(e,t){this.context=e,this.choose=t,this.#t=new i(e.signal),c(e.element,e.signal,this.#e),e.options.mentorId||this.#i(),addEventListener(`online`,()=>void(this.#e.state.error?.isTemporary&&this.#i()),{signal:e.signal})}render(e){let n=g(e),{mentors:i,nextCursor:a,isLoading:c,error:u}=this.#e.state;return r`<section class="calendar" aria-labelledby="directory">
      <h3 id="directory" tabindex="-1" data-focus>${n.title}</h3>
      <input
        type="search"
        aria-label=${n.search}
        placeholder=${n.search}
        @input=${e=>void this.#r(t(e))}
      />
      <ul class="offers">
        ${i.map(t=>r`<li class="offer single">
              ${l(e,t)}
              <button
                part="button"
                aria-label=${`${n.choose}: ${t.name}`}
                @click=${()=>this.choose(t.id)}
              >
                ${n.choose}
              </button>
            </li>`)}
      </ul>
      ${c?o(e.words.loading):d}
      ${u?p(e,u,s(e.words.tryAgain,()=>this.#i())):d}
      <p class="muted" role="status">${i.length||c||u?d:n.none}</p>
      ${a&&!c?s(n.more,()=>this.#i()):d}
    </section>`}renderBack(e){return r`<button class="link" part="button" @click=${()=>this.choose(null)}>
      ${u(`m15 6-6 6 6 6`)} ${g(e).back}
    </button>`}async#r(e){this.#n=e.trim();let t=this.#t.next();await n(v,t).catch(()=>void 0),t.aborted||(this.#e.update({mentors:[],nextCursor:null}),await this.#i())}async#i(){let t=this.#t.next();this.#e.update({isLoading:!0,error:null});let{nextCursor:n}=this.#e.state;try{let e={limit:_,q:this.#n||null,cursor:n},r=await this.context.client.get(`/mentors`,e,{open:!0,signal:t}),i=[...this.#e.state.mentors,...r.items];this.#e.update({mentors:i,nextCursor:r.nextCursor,isLoading:!1}),this.context.telemetry.loaded()}catch(n){if(t.aborted)return;let r=e.of(n);this.#e.update({isLoading:!1,error:r}),this.context.telemetry.failed(r),this.context.emit(`failed`,{error:r,during:`load`})}}};export{y as Directory};